/** An event as the model knows it: nothing of indices, caches or queries. */
export interface ModelEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly sender: string;
  readonly type: string;
  readonly ts: number;
  readonly relation: { readonly relType: string; readonly parentId: string } | null;
  readonly hasNewContent: boolean;
  isRedacted: boolean;
}

/** What `m.relations` says, without the texts of the events in it. */
export interface ModelBundle {
  readonly edit: string | null;
  readonly references: readonly string[];
  readonly thread: {
    readonly count: number;
    readonly latest: string;
    readonly latestEdit: string | null;
    readonly participated: boolean;
  } | null;
}

function relationOf(event: ModelEvent): ModelEvent['relation'] {
  return event.isRedacted ? null : event.relation;
}

function childrenOf(all: readonly ModelEvent[], parent: ModelEvent, relType: string): readonly ModelEvent[] {
  return all.filter((event) => {
    const relation = relationOf(event);
    return (
      event.roomId === parent.roomId && relation?.parentId === parent.eventId && relation.relType === relType
    );
  });
}

function latestEditOf(
  all: readonly ModelEvent[],
  parent: ModelEvent,
  ignored: ReadonlySet<string>,
): string | null {
  if (parent.isRedacted || relationOf(parent)?.relType === 'm.replace' || ignored.has(parent.sender))
    return null;
  const edits = childrenOf(all, parent, 'm.replace')
    .filter((edit) => edit.sender === parent.sender && edit.type === parent.type && edit.hasNewContent)
    .toSorted((one, other) => one.ts - other.ts || (one.eventId < other.eventId ? -1 : 1));
  return edits.at(-1)?.eventId ?? null;
}

/** What a user is to be told of what relates to an event, `all` in the order of the room; null for nothing. */
export function bundleOf(
  all: readonly ModelEvent[],
  parent: ModelEvent,
  viewer: { readonly userId: string; readonly ignored: ReadonlySet<string> },
): ModelBundle | null {
  const { ignored } = viewer;
  const shown = (relType: string): readonly ModelEvent[] =>
    childrenOf(all, parent, relType).filter(({ sender }) => !ignored.has(sender));
  const replies = relationOf(parent) === null ? shown('m.thread') : [];
  const latest = replies.at(-1);
  const references = shown('m.reference').map(({ eventId }) => eventId);
  const edit = latestEditOf(all, parent, ignored);
  if (edit === null && references.length === 0 && latest === undefined) return null;
  return {
    edit,
    references,
    thread:
      latest === undefined
        ? null
        : {
            count: replies.length,
            latest: latest.eventId,
            latestEdit: latestEditOf(all, latest, ignored),
            participated: [parent, ...replies].some(({ sender }) => sender === viewer.userId),
          },
  };
}
