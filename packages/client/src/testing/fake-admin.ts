import type { ColdValue } from '@flotilla/ports';
import { type AdminRequest, FrameKind, parseAdminRequest, readAdmin, writeAdmin } from '@flotilla/wire';
import type { FakeCluster } from './fake-cluster.ts';
import { jsonCodec } from './json-codec.ts';

/** Lets every store of the cluster answer admin requests; gives the list of those that come. */
export function answerAdmin(
  cluster: FakeCluster,
  answer: (request: AdminRequest, attempt: number) => ColdValue | 'break',
): AdminRequest[] {
  const seen: AdminRequest[] = [];
  for (const store of cluster.stores.values()) {
    store.onAdmin = (end, body) => {
      const { request, cold } = readAdmin(body);
      const parsed = parseAdminRequest(jsonCodec.decode(cold));
      seen.push(parsed);
      const value = answer(parsed, seen.length);
      if (value === 'break') {
        store.ends.delete(end);
        end.close('reset');
        return;
      }
      store.sendFrame(end, FrameKind.adminReply, (out) => writeAdmin(out, request, jsonCodec.encode(value)));
    };
  }
  return seen;
}
