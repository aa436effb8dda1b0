import { Xxh64 } from '@flotilla/base';
import { hasherContract } from '@flotilla/ports/contract';
import xxhash from 'xxhash-wasm';
import { createWasmHasher } from './wasm-hasher.ts';

const reference = async (): Promise<(bytes: Uint8Array) => bigint> => {
  const { h64Raw } = await xxhash();
  return h64Raw;
};

hasherContract('pure TypeScript', () => Promise.resolve(new Xxh64()), reference);
hasherContract('WebAssembly', createWasmHasher, reference);
