import { ConflictError, type Db } from '@flotilla/client';

/** Adds guests to the list of an evening, as long as there are seats. The list is one JSON value. */

function guestsOf(text: string | undefined): string[] {
  return text === undefined ? [] : (JSON.parse(text) as string[]);
}

/** Reads, decides and writes, as if nobody else did so. It passes every test that calls it once at a time. */
export async function inviteCarelessly(
  db: Db,
  evening: string,
  guest: string,
  seats: number,
): Promise<boolean> {
  const guests = guestsOf((await db.get(evening))?.text());
  if (guests.length >= seats) return false;
  await db.put(evening, JSON.stringify([...guests, guest]));
  return true;
}

/** The same, but the write takes place only on the list that was read; otherwise it is read again. */
export async function invite(db: Db, evening: string, guest: string, seats: number): Promise<boolean> {
  for (;;) {
    const record = await db.get(evening);
    const guests = guestsOf(record?.text());
    if (guests.length >= seats) return false;
    try {
      await db.put(evening, JSON.stringify([...guests, guest]), { ifVersion: record?.version ?? 0 });
      return true;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
  }
}
