/** IndexedDB, as far as the wallet needs it: two shelves, one for keys and one for sealed records. */

import { Trouble } from '../app/problem.ts';

export type Shelf = 'keys' | 'sealed';

export interface Database {
  read(shelf: Shelf, name: string): Promise<unknown>;
  write(shelf: Shelf, name: string, value: unknown): Promise<void>;
  remove(shelf: Shelf, name: string): Promise<void>;
  /** Everything, of both. */
  clear(): Promise<void>;
}

/** A browser that neither opens nor refuses: a private window of some, or a version change another tab holds up. */
const OPEN_LIMIT_MILLISECONDS = 5_000;

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Trouble('storage-unavailable'));
  });
}

/** The database of this name. Insurers may share an origin, so the name holds the wallet's folder. */
export async function open(name: string, factory: IDBFactory = indexedDB): Promise<Database> {
  const database = await connect(name, factory);
  const within = async <T>(shelves: Shelf[], mode: IDBTransactionMode, work: (of: (shelf: Shelf) => IDBObjectStore) => IDBRequest<T>) => {
    // Durable before anybody relies on it: counters are kept before the key signs.
    const transaction = database.transaction(shelves, mode, { durability: 'strict' });
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Trouble('storage-unavailable'));
    });
    const result = settled(work((shelf) => transaction.objectStore(shelf)));
    const [value] = await Promise.all([result, done]);
    return value;
  };
  return {
    read: (shelf, name) => within([shelf], 'readonly', (of) => of(shelf).get(name)),
    write: async (shelf, name, value) => void (await within([shelf], 'readwrite', (of) => of(shelf).put(value, name))),
    remove: async (shelf, name) => void (await within([shelf], 'readwrite', (of) => of(shelf).delete(name))),
    clear: async () => {
      await within(['keys', 'sealed'], 'readwrite', (of) => {
        of('keys').clear();
        return of('sealed').clear();
      });
    },
  };
}

function connect(name: string, factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const unavailable = () => reject(new Trouble('storage-unavailable'));
    setTimeout(unavailable, OPEN_LIMIT_MILLISECONDS);
    try {
      const request = factory.open(name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('keys');
        request.result.createObjectStore('sealed');
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = unavailable;
      request.onblocked = unavailable;
    } catch {
      unavailable();
    }
  });
}
