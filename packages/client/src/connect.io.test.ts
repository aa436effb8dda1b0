import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { connect } from './connect.ts';
import { UnavailableError } from './errors.ts';

test('real endpoints where nothing listens are named with the reason', async () => {
  const error = await connect('flotilla://127.0.0.1:1,127.0.0.1:2').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnavailableError);
  expect((error as Error).message).toContain('127.0.0.1:1');
  expect((error as Error).message).toContain('127.0.0.1:2');
});

test('something that speaks another protocol on the port is a clear failure', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const error = await connect({ endpoints: [`127.0.0.1:${port}`] }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnavailableError);
  expect((error as Error).message).toContain(`127.0.0.1:${port}`);
  await new Promise((resolve) => server.close(resolve));
});
