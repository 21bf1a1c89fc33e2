import type { Config } from '../../../config/config.ts';

/** A way for clients to carry what is said in a call. MSC4143, "Discovery of RTC transports"; MSC4195. */
export interface RtcTransport {
  readonly type: 'livekit';
  readonly livekit_service_url: string;
}

/** What this server offers for calls, the one to prefer first. */
export function rtcTransports(config: Pick<Config, 'rtc'>): RtcTransport[] {
  return config.rtc.livekitServiceUrls.map((url) => ({ type: 'livekit', livekit_service_url: url }));
}
