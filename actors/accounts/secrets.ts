import type { Random } from '../../src/kit/random.ts';

const DEVICE_ID_LENGTH = 10;
const LOCALPART_LENGTH = 12;
const CAPITALS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** 43 characters out of 62 hold 256 bits. */
const SECRET_LENGTH = 43;
/** Tells people and secret scanners what they have found. */
const TOKEN_PREFIX = 'troupe_';
/** Short enough to be typed from a terminal, 142 bits. */
const REGISTRATION_TOKEN_LENGTH = 24;

/** A new device id: ten capital letters. */
export function makeDeviceId(random: Random): string {
  let id = '';
  while (id.length < DEVICE_ID_LENGTH) id += CAPITALS[random.integer(CAPITALS.length)];
  return id;
}

/** A localpart for who does not choose one: lower-case letters and digits. */
export function makeLocalpart(random: Random): string {
  return random.text(LOCALPART_LENGTH).toLowerCase();
}

/** A new access token of 256 random bits. */
export function makeAccessToken(random: Random): string {
  return TOKEN_PREFIX + random.text(SECRET_LENGTH);
}

/** A new refresh token of 256 random bits. */
export function makeRefreshToken(random: Random): string {
  return `${TOKEN_PREFIX}refresh_${random.text(SECRET_LENGTH)}`;
}

/** A new token for one login, or for another service, of 256 random bits. */
export function makePassingToken(random: Random): string {
  return TOKEN_PREFIX + random.text(SECRET_LENGTH);
}

/** The name of a session, or a nonce: 256 random bits. */
export function makeSecret(random: Random): string {
  return random.text(SECRET_LENGTH);
}

/** A registration token, within the grammar `[A-Za-z0-9._~-]{1,64}`. */
export function makeRegistrationToken(random: Random): string {
  return random.text(REGISTRATION_TOKEN_LENGTH);
}
