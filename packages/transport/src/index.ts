export { formatAddress, type HostPort, parseAddress } from './address.ts';
export { RunLengthCompressor, ZstdCompressor } from './compressors.ts';
export { Fabric } from './fabric/fabric.ts';
export type { FabricOptions, PeerStatus } from './fabric/options.ts';
export { defaultFabricTuning, type FabricTuning } from './fabric/tuning.ts';
export { ListenError } from './listen-error.ts';
export {
  type LinkPolicy,
  MemoryNetwork,
  MemoryNetworkHub,
  type MemoryNetworkOptions,
} from './memory-network.ts';
export { MsgpackColdCodec } from './msgpack-cold-codec.ts';
export { NodeClock, NodeRandom, NodeTimers, nodeJitter } from './node-world.ts';
export { PlainColdCodec } from './plain-cold-codec.ts';
export { WsNetwork, type WsNetworkOptions } from './ws-network.ts';
export { defaultWsTuning, SUBPROTOCOL, type WsTuning } from './ws-tuning.ts';
