import type { CipherSpec } from './cipher-spec.ts';
import type { HashName } from './hash-name.ts';

/** One of the eight places that can hold the master key, each encrypted under a key that a passphrase yields. */
export interface KeySlot {
  /** From 0, in the header's order. */
  readonly index: number;
  readonly active: boolean;
  /** Of PBKDF2; means nothing where the slot is not active. */
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Where its key material begins, in bytes from the beginning of the LUKS header. */
  readonly offset: number;
}

/** What a LUKS header, version 1, says, checked. */
export interface LuksHeader {
  readonly cipher: CipherSpec;
  /** Of PBKDF2 and of the anti-forensic splitter. */
  readonly hash: HashName;
  /** Where the area of key material ends, in bytes from the beginning of the LUKS header. */
  readonly payloadOffset: number;
  /** PBKDF2 of the master key: how a candidate is known to be right. */
  readonly masterKeyDigest: Uint8Array;
  readonly masterKeySalt: Uint8Array;
  readonly masterKeyIterations: number;
  /** As the header has it; it need not be one, nor be fit to print. */
  readonly uuid: string;
  /** All eight. */
  readonly keySlots: readonly KeySlot[];
}
