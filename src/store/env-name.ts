import { CalveError } from '../errors/index.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Whether `text` is an env's name. */
export function isEnvName(text: string): boolean {
  return NAME.test(text);
}

/** @throws CalveError `usage` */
export function checkEnvName(text: string): string {
  if (isEnvName(text)) return text;
  throw new CalveError(
    'usage',
    `env '${text}': expected 1 to 63 letters, digits, . _ -, the first a letter or digit`,
  );
}

const FIRST = `
  amber bold brave bright brisk calm clear clever cosy crisp eager early fair fleet fond free fresh
  gentle glad golden happy hardy keen kind light lively lucky mellow merry mild neat nimble noble
  patient plain proud quick quiet rapid ready rosy silent silver snug spry steady sunny swift tidy
  trusty warm wise
`;
const SECOND = `
  alder badger beaver birch bison brook calf cedar clover comet crane dove falcon fern finch floe fox
  glacier hare harbor hazel heron ibex island juniper kestrel lake lark linden lynx maple marten meadow
  moose otter owl pine plover puffin raven reef robin salmon seal spruce swan thrush tern walrus willow
  wren yak
`;

/**
 * A friendly name that is not taken: `quiet-otter`, and with a number when the friendly ones run out.
 * @param isTaken whether an env has a name
 * @param random numbers from 0 up to 1
 */
export function makeEnvName(isTaken: (name: string) => boolean, random: () => number = Math.random): string {
  const pick = (text: string): string => {
    const words = text.trim().split(/\s+/);
    return words[Math.floor(random() * words.length)] ?? 'env';
  };
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(FIRST)}-${pick(SECOND)}`;
    const numbered = attempt < 8 ? name : `${name}-${Math.floor(random() * 10 ** Math.min(9, attempt - 5))}`;
    if (!isTaken(numbered)) return numbered;
  }
}
