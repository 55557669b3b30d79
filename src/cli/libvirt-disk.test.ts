import assert from 'node:assert/strict';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { libvirtDisk } from './libvirt-disk.ts';

test('a path comes back from the element whatever characters it has, as an XML parser reads it', async () => {
  const path = `/srv/a b/<&>'"\t\n;ü€😀/disk.qcow2`;
  const xpath = async (expression: string, readOnly: boolean): Promise<string> => {
    const printed = await succeed('xmllint', ['--xpath', `string(${expression})`, '-'], {
      input: libvirtDisk(path, { readOnly }),
    });
    return printed.slice(0, -1);
  };
  assert.equal(await xpath('/disk/source/@file', true), path);
  assert.equal(await xpath('count(/disk/readonly)', true), '1');
  assert.equal(await xpath('count(/disk/readonly)', false), '0');
});

test('a path that XML cannot hold is refused', async () => {
  const doing = async (): Promise<string> => libvirtDisk('/srv/\u0001', { readOnly: true });
  await refused(doing(), 'unsupported', /XML cannot hold/);
});
