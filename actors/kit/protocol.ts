/**
 * A message without an answer. `In` is readonly, structured-cloneable data: no functions, no classes.
 *
 * Messages are named `<actor>.<verb-noun>`.
 */
export interface Tell<In> {
  readonly kind: 'tell';
  readonly input: In;
}

/** A message with an answer. An expected "no" is a value in `Out` (a `Refusal`), never a thrown error. */
export interface Ask<In, Out> {
  readonly kind: 'ask';
  readonly input: In;
  readonly output: Out;
}

/** The messages that one actor understands: a type alias (not an interface) of `Tell` and `Ask` by name. */
// The message types are erased here on purpose: any concrete protocol must fit.
// oxlint-disable-next-line typescript/no-explicit-any
export type Protocol = Readonly<Record<string, Tell<any> | Ask<any, any>>>;

/** Names of the messages of `P` that have no answer. */
export type TellName<P extends Protocol> = {
  [Name in keyof P & string]: P[Name]['kind'] extends 'tell' ? Name : never;
}[keyof P & string];

/** Names of the messages of `P` that have an answer. */
export type AskName<P extends Protocol> = {
  [Name in keyof P & string]: P[Name]['kind'] extends 'ask' ? Name : never;
}[keyof P & string];

/** What message `Name` carries. */
export type InputOf<P extends Protocol, Name extends keyof P> = P[Name]['input'];

/** What message `Name` is answered with; `void` for a tell. */
export type OutputOf<P extends Protocol, Name extends keyof P> =
  P[Name] extends Ask<unknown, infer Out> ? Out : void;
