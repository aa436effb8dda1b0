import { DecodeError, Reader, type StoreId, utf8Decode, utf8Encode, type Writer } from '@flotilla/base';
import { limits } from './limits.ts';

/** First frames on every socket: `hello` from the one that dialled, then `welcome` or `refusal`. */

export const Role = { peer: 1, client: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** One line of the address book. The higher version wins; a store raises its own at every start. */
export interface AddressEntry {
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly address: string;
  readonly version: number;
}

export interface Hello {
  readonly role: Role;
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly formatMin: number;
  readonly formatMax: number;
  /** Empty while the sender belongs to no cluster yet. */
  readonly clusterId: string;
  /** Empty for clients. */
  readonly storeId: StoreId;
  readonly incarnation: string;
  readonly address: string;
  /** Lane number; 0 for clients. */
  readonly lane: number;
  readonly addressBook: readonly AddressEntry[];
}

/** Answer to a peer's hello: the same facts about the one that was dialled. */
export type Welcome = Hello;

/** Answer to a client's hello. */
export interface ClientWelcome {
  readonly protocol: number;
  readonly clusterId: string;
  readonly storeId: StoreId;
  /** Identity for exactly-once writes, issued by this store. */
  readonly session: Uint8Array;
  /** The store's wall clock, ms. */
  readonly wallMs: number;
  /** Encoded cluster config, empty while the store knows none. */
  readonly config: Uint8Array;
}

export interface Refusal {
  /** Stable code such as `wrong-cluster`. */
  readonly code: string;
  /** For people; says what to do. Empty towards strangers. */
  readonly message: string;
}

const TEXT_BYTES_MAX = 1024;

function writeText(out: Writer, text: string): void {
  out.bytes16(utf8Encode(text));
}

function readText(from: Reader, bytesMax = TEXT_BYTES_MAX): string {
  return utf8Decode(from.bytes16(bytesMax));
}

export function writeAddressBook(out: Writer, book: readonly AddressEntry[]): void {
  out.u32(book.length);
  for (const entry of book) {
    writeText(out, entry.storeId);
    writeText(out, entry.incarnation);
    writeText(out, entry.address);
    out.u53(entry.version);
  }
}

export function readAddressBook(from: Reader): AddressEntry[] {
  const count = from.count(limits.storesMax, 14);
  const book: AddressEntry[] = [];
  for (let at = 0; at < count; at++) {
    book.push({
      storeId: readText(from),
      incarnation: readText(from),
      address: readText(from, limits.addressBytes),
      version: from.u53(),
    });
  }
  return book;
}

export function writeHello(out: Writer, hello: Hello): void {
  out.u8(hello.role);
  out.u16(hello.protocolMin);
  out.u16(hello.protocolMax);
  out.u8(hello.formatMin);
  out.u8(hello.formatMax);
  writeText(out, hello.clusterId);
  writeText(out, hello.storeId);
  writeText(out, hello.incarnation);
  writeText(out, hello.address);
  out.u8(hello.lane);
  writeAddressBook(out, hello.addressBook);
}

/** Fields after the version range may grow in later protocols, so the range is read first and trailing bytes are allowed. */
export function readHello(body: Uint8Array): Hello {
  const from = new Reader(body);
  const role = from.u8();
  if (role !== Role.peer && role !== Role.client)
    throw new DecodeError(`unknown role ${role} in a hello`, { role });
  return {
    role,
    protocolMin: from.u16(),
    protocolMax: from.u16(),
    formatMin: from.u8(),
    formatMax: from.u8(),
    clusterId: readText(from),
    storeId: readText(from),
    incarnation: readText(from),
    address: readText(from, limits.addressBytes),
    lane: from.u8(),
    addressBook: readAddressBook(from),
  };
}

export function writeClientWelcome(out: Writer, welcome: ClientWelcome): void {
  out.u16(welcome.protocol);
  writeText(out, welcome.clusterId);
  writeText(out, welcome.storeId);
  out.bytes16(welcome.session);
  out.f64(welcome.wallMs);
  out.bytes32(welcome.config);
}

export function readClientWelcome(body: Uint8Array): ClientWelcome {
  const from = new Reader(body);
  return {
    protocol: from.u16(),
    clusterId: readText(from),
    storeId: readText(from),
    session: from.bytes16(64).slice(),
    wallMs: from.f64(),
    config: from.bytes32(limits.clientFrameBytes),
  };
}

export function writeRefusal(out: Writer, refusal: Refusal): void {
  writeText(out, refusal.code);
  writeText(out, refusal.message);
}

export function readRefusal(body: Uint8Array): Refusal {
  const from = new Reader(body);
  return { code: readText(from), message: readText(from) };
}
