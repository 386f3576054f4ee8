import { HTTP_CODES } from '../../apps/api/src/errors.ts';
import { ERROR_CODES, type ErrorCode } from '../../packages/common/src/index.ts';
import { FAULT_NAMES } from '../../packages/contracts/src/index.ts';

const HEAD = `# Errors

Made from the code by \`npm run docs\`; a check fails when it is stale.

Every error has a code that does not change and a text that a tenant may read. The code is what logs and sealed messages
carry; the api makes an HTTP code and Trove's name for it out of it, here and nowhere else. As in Trove, what has no HTTP code
of its own is 400. A 500 shows an id and nothing more, and the log has the error under that id; a 503 has \`Retry-After\`.

| code | HTTP | name in the body | when |
| --- | --- | --- | --- |
`;

const WHEN: Readonly<Record<ErrorCode, string>> = {
  BAD_REQUEST: 'the request is not what the API takes; its text says where',
  UNAUTHENTICATED: 'no token, or one that is not known',
  FORBIDDEN: 'the policy does not allow this to this caller',
  NOT_FOUND: "there is no such thing, or it is another project's",
  CONFLICT: 'the thing changed at the same moment; asked again, it may go',
  QUOTA_EXCEEDED: "the project's quota has no room for it",
  UNPROCESSABLE: 'it cannot be done in the state that the instance is in',
  NOT_IMPLEMENTED: 'Trove has this, this release does not',
  FLAVOR_NOT_FOUND: 'there is no such flavor',
  IMAGE_NOT_FOUND: "the compute driver has no such image, or not the version's",
  DATASTORE_NOT_FOUND: 'there is no such datastore',
  DATASTORE_VERSION_NOT_FOUND: 'the datastore has no such version',
  DATASTORE_VERSION_INACTIVE: 'the version is not offered any more',
  DATABASE_NOT_FOUND: 'the instance has no such database',
  DATABASE_EXISTS: 'the instance has a database of that name',
  USER_EXISTS: 'the instance has a user of that name and host',
  GUEST_TIMEOUT: 'the guest did not answer in time; whether it was asked, or took effect, is not known',
  GUEST_ERROR: 'the guest tried and failed; the text is its own',
  RPC_TIMEOUT: 'no service answered in time; whether it took effect is not known',
  RPC_REFUSED: 'no queue took the message, or its receiver refused it',
  BUS_UNAVAILABLE: 'the message broker cannot be reached; a task tries again until its deadline',
  CATALOG_UNAVAILABLE: 'the catalog cannot be reached',
  COMPUTE_ERROR: 'the compute driver failed',
  STALE_BOOT: 'the guest has started anew since; the taskmanager asks again by itself',
  STALE_FENCE: 'another worker has taken the task; seen in logs only',
  ALREADY_DONE: 'a repeated request whose answer held a secret, which is not kept',
  CONFIG_INVALID: 'a setting that does not hold; the service ends at its start',
  INTERNAL: 'a mistake of ours',
};

/** docs/errors.md. */
export function renderErrorsPage(): string {
  const rows = ERROR_CODES.map((code) => {
    const http = HTTP_CODES[code];
    return `| \`${code}\` | ${http} | \`${FAULT_NAMES[http]}\` | ${WHEN[code]} |\n`;
  });
  return HEAD + rows.join('');
}
