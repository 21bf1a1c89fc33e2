import type { Answer, Person } from './sync-world.ts';

/** What a client believes of one room. */
export interface BelievedRoom {
  section: 'join' | 'invite' | 'knock' | 'leave';
  /** The user has been in it, as far as the client knows. */
  wasJoined: boolean;
  /** Event ids by type and state key. */
  readonly state: Map<string, string>;
  /** Ids of the messages since the last gap. */
  messages: string[];
  readonly accountData: Map<string, string>;
  readonly counts: Map<string, number>;
  unread: string;
}

/** A client that believes what syncs tell it, and nothing else. */
export interface NaiveClient {
  readonly rooms: ReadonlyMap<string, BelievedRoom>;
  readonly accountData: ReadonlyMap<string, string>;
  /** Forgets everything, as after a loss of its storage. */
  restart(): void;
  /** Syncs once. @param isLost the answer never arrives */
  sync(filter: object, isLost: boolean): Promise<void>;
}

/** The form in which a client wants state. */
export type Form = 'state' | 'state_after';

function keyOf(event: Answer): string {
  return `${event.type} ${event.state_key}`;
}

function noteData(data: Map<string, string>, section: Answer): void {
  for (const { type, content } of section?.events ?? [])
    if (Object.keys(content).length === 0) data.delete(type);
    else data.set(type, JSON.stringify(content));
}

function applyRoom(room: BelievedRoom, answer: Answer, form: Form): void {
  const events: Answer[] = answer.timeline?.events ?? [];
  const told: Answer[] = answer[form]?.events ?? [];
  for (const event of form === 'state' ? [...told, ...events] : told)
    if (event.state_key !== undefined) room.state.set(keyOf(event), event.event_id);
  const messages = events.filter(({ type }) => type === 'm.room.message').map(({ event_id: id }) => id);
  room.messages = answer.timeline?.limited === true ? messages : [...room.messages, ...messages];
  noteData(room.accountData, answer.account_data);
  for (const [name, count] of Object.entries(answer.summary ?? {}))
    if (typeof count === 'number') room.counts.set(name, count);
  if (answer.unread_notifications !== undefined) room.unread = JSON.stringify(answer.unread_notifications);
}

/** Makes a client that knows nothing. */
export function makeNaiveClient(person: Person, form: Form): NaiveClient {
  const rooms = new Map<string, BelievedRoom>();
  const accountData = new Map<string, string>();
  let since: string | null = null;

  function meet(roomId: string): BelievedRoom {
    const known = rooms.get(roomId);
    if (known !== undefined) return known;
    const room: BelievedRoom = {
      section: 'leave',
      wasJoined: false,
      state: new Map(),
      messages: [],
      accountData: new Map(),
      counts: new Map(),
      unread: '',
    };
    rooms.set(roomId, room);
    return room;
  }

  function apply(answer: Answer): void {
    noteData(accountData, answer.account_data);
    for (const section of ['join', 'invite', 'knock', 'leave'] as const)
      for (const [roomId, told] of Object.entries(answer.rooms?.[section] ?? {})) {
        const room = meet(roomId);
        room.section = section;
        if (section === 'join') room.wasJoined = true;
        applyRoom(room, told, form);
      }
  }

  return {
    rooms,
    accountData,
    restart() {
      rooms.clear();
      accountData.clear();
      since = null;
    },
    async sync(filter, isLost) {
      const answer = await person.sync({
        filter: JSON.stringify(filter),
        use_state_after: form === 'state_after',
        ...(since === null ? {} : { since }),
      });
      if (isLost) return;
      since = answer.next_batch;
      apply(answer);
    },
  };
}
