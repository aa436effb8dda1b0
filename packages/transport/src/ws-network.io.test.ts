import { networkContract } from '@flotilla/ports/contract';
import { realLab } from '../contract/real-lab.ts';

networkContract('the WebSocket network', () => realLab());
