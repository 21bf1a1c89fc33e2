import type { PositionColumn, StreamDeclaration } from '../../../db/kit/positions.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import { step, type WriteSet } from '../../../db/kit/write-set.ts';

/** A stream of the tests of the kit: numbered notes, each text once. */
const NOTES_TABLE: PositionColumn = { table: 'notes', column: 'position' };

export const notesStream: StreamDeclaration = { name: 'notes', owner: 'notebook', tables: [NOTES_TABLE] };

export const insertNote = defineQuery<{ readonly text: string; readonly position: number }>({
  name: 'notes.insert',
  sql: 'INSERT INTO notes (position, text) VALUES (:position, :text)',
});
export const returnNote = defineQuery<
  { readonly text: string; readonly position: number },
  { readonly text: string }
>({
  name: 'notes.insert-returning',
  sql: 'INSERT INTO notes (position, text) VALUES (:position, :text) RETURNING position, text',
});
export const editNote = defineQuery<{ readonly from: string; readonly to: string }>({
  name: 'notes.edit',
  sql: 'UPDATE notes SET text = :to WHERE text = :from',
});
export const deleteNotes = defineQuery<Record<string, never>>({
  name: 'notes.delete-all',
  sql: 'DELETE FROM notes',
});
export const findNote = defineQuery<{ readonly text: string }, { readonly position: number }>({
  name: 'notes.find',
  sql: 'SELECT position FROM notes WHERE text = :text',
});
export const listNotes = defineQuery<
  Record<string, never>,
  { readonly position: number; readonly text: string }
>({
  name: 'notes.list',
  sql: 'SELECT position, text FROM notes ORDER BY position',
});
export const readMark = defineQuery<
  { readonly stream: string; readonly direction: string },
  { position: number }
>({
  name: 'notes.read-mark',
  sql: 'SELECT max(position) AS position FROM stream_positions WHERE stream = :stream AND direction = :direction',
});

export const noteQueries = [insertNote, returnNote, editNote, deleteNotes, findNote, listNotes, readMark];

/** Makes the table beside the migrated ones; `alone` takes the whole transaction with it, as a full disk does. */
export function createNotes(path: string): void {
  const connection = openWriteConnection(path);
  connection.exec(`
    CREATE TABLE notes (position INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
    CREATE TRIGGER notes_alone BEFORE INSERT ON notes WHEN new.text = 'alone'
    BEGIN SELECT RAISE(ROLLBACK, 'takes all along'); END;
  `);
  connection.close();
}

/** A set that writes `texts` at positions of their own. */
export function note(...texts: readonly string[]): WriteSet {
  return {
    owner: 'notebook',
    advance: { stream: 'notes', count: texts.length },
    steps: texts.map((text, positionOffset) => step(insertNote, { text }, { positionOffset })),
  };
}

/** A set whose guard says no after it has written `text`. */
export function refusedNote(text: string): WriteSet {
  const { steps, ...set } = note(text);
  const guard = step(editNote, { from: 'no such note', to: 'x' }, { expectChanges: 1, refusal: 'gone' });
  return { ...set, steps: [...steps, guard] };
}

/** A set that breaks a constraint after it has written `text`. */
export function brokenNote(text: string): WriteSet {
  return note(text, text);
}

/** The notes as `position:text`. */
export async function notes(db: ReadDb): Promise<string[]> {
  return (await db.all(listNotes, {})).map(({ position, text }) => `${position}:${text}`);
}
