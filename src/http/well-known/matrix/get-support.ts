import { Type } from 'typebox';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const EMAIL = /^(?:mailto:)?([^\s@:/]+@[^\s@:/]+\.[^\s@:/]+)$/;

const Contact = Type.Object({
  role: Type.Literal('m.role.admin'),
  email_address: Type.Optional(Type.String()),
  matrix_id: Type.Optional(Type.String()),
});

/** The contact of the configuration, when it is an e-mail address or a user id. */
function contactsOf(
  adminContact: string,
): { role: 'm.role.admin'; email_address?: string; matrix_id?: string }[] {
  const email = EMAIL.exec(adminContact)?.[1];
  if (email !== undefined) return [{ role: 'm.role.admin', email_address: email }];
  if (parseUserId(adminContact) === undefined) return [];
  return [{ role: 'm.role.admin', matrix_id: adminContact }];
}

/** Whom to turn to; 404 `M_NOT_FOUND` when the configuration names neither a contact nor a page. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/.well-known/matrix/support',
  spec: 'Client-Server API v1.19, GET /.well-known/matrix/support',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({
    contacts: Type.Optional(Type.Array(Contact)),
    support_page: Type.Optional(Type.String()),
  }),
  needs: ['config'],
  handle({ services }) {
    const { adminContact, supportPage } = services.config.server;
    const contacts = contactsOf(adminContact);
    // A contact may be a page as well.
    const page = supportPage === '' && /^https?:/.test(adminContact) ? adminContact : supportPage;
    if (contacts.length === 0 && page === '')
      return Promise.resolve(refuse('M_NOT_FOUND', 'This server does not say whom to turn to.'));
    return Promise.resolve({
      ...(contacts.length === 0 ? {} : { contacts }),
      ...(page === '' ? {} : { support_page: page }),
    });
  },
});
