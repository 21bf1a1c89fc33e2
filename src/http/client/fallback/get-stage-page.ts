import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { pageReply } from './page.ts';
import { findStagePage } from './stage-pages.ts';

/** A page on which a browser completes a stage of user-interactive authentication, for clients that do not know the stage. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/auth/{authType}/fallback/web',
  aliases: ['/_matrix/client/r0/auth/{authType}/fallback/web'],
  spec: 'Client-Server API v1.19, "User-Interactive Authentication API", "Fallback"',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ authType: Type.String() }),
  reply: Type.Unknown(),
  needs: ['config'],
  handle({ params, services }) {
    const page = findStagePage(params.authType, services.config);
    return Promise.resolve(
      page === undefined ? refuse('M_NOT_FOUND', 'There is no page for this stage.') : pageReply(page),
    );
  },
});
