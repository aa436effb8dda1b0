/** Plain data of cold messages: admin requests, status. Maps and class instances do not travel. */
export type ColdValue =
  | undefined
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly ColdValue[]
  | { readonly [key: string]: ColdValue };

export interface ColdCodec {
  /**
   * A member that is undefined is left out, any other undefined arrives as null. Throws `UsageError` for what
   * `decode` would refuse, and for maps and class instances.
   */
  encode(value: ColdValue): Uint8Array;
  /**
   * Throws `DecodeError` for anything malformed, deeper than 16, of more than 4,096 elements, with a length
   * beyond the end, or with an extension type. Objects come back without a prototype.
   */
  decode(bytes: Uint8Array): ColdValue;
}
