import { ACLS } from '../acl-attribute.ts';

/** What only root may set: what a program may do, and what belongs to the administrator's programs. */
const OF_ROOT = /^(security\.capability$|trusted\.)/;

/** Whether an attribute means the same on another system: not labels of a system's own security (`security.selinux`). */
export function isCopiedAttribute(name: string): boolean {
  if (ACLS.includes(name) || name.startsWith('user.')) return true;
  return OF_ROOT.test(name) && process.geteuid?.() === 0;
}
