import { type Json, jsonLine } from '../printing/json-text.ts';

/** The name of a node that no plain one says all of. */
export function jsonName(options: { readonly [key: string]: Json }): string {
  return `json:${jsonLine(options)}`;
}

/** The protocol that a name begins with: a colon ahead of any slash ends it. */
export function protocolOf(filename: string): string | undefined {
  return /^([^/:]*):/.exec(filename)?.[1];
}
