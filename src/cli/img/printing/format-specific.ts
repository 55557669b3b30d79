import { isList, type Json, membersOf } from './json-text.ts';

/** Format specific information for people: a line a member, four spaces a level, the places of a list in brackets. */
export function formatSpecificLines(value: Json, indent = '    '): string[] {
  if (isList(value)) return value.flatMap((each, place) => labelled(`[${place}]`, each, indent));
  if (value === null || typeof value !== 'object') return [`${indent}${String(value)}`];
  return membersOf(value).flatMap(([key, each]) => labelled(key.replaceAll('-', ' '), each, indent));
}

function labelled(label: string, value: Json, indent: string): string[] {
  const isDeep = value !== null && typeof value === 'object';
  if (!isDeep) return [`${indent}${label}: ${String(value)}`];
  return [`${indent}${label}:`, ...formatSpecificLines(value, `${indent}    `)];
}
