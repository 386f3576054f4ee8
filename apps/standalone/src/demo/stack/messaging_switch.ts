const SWITCH = 'enable_secure_rpc_messaging';
const LINE = new RegExp(`^.*${SWITCH}.*$`, 'm');

/** A configuration file as the operator edits it: the switch set to False, or that line commented out. */
export function withMessaging(text: string, messaging: 'clear' | 'sealed'): string {
  const line = messaging === 'clear' ? `${SWITCH} = False` : `# ${SWITCH} = False`;
  return LINE.test(text) ? text.replace(LINE, line) : text.replace(/^\[DEFAULT\]$/m, `[DEFAULT]\n${line}`);
}
