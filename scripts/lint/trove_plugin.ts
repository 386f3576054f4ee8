// Lint rules of this repository, loaded by oxlint (.oxlintrc.json, jsPlugins). The node shapes are ESTree's.
import type * as ESTree from 'estree';

interface Rule {
  meta: { type: 'problem'; docs: { description: string } };
  create(context: { report(finding: { node: ESTree.Node; message: string }): void }): {
    CallExpression?(call: ESTree.CallExpression): void;
    MemberExpression?(access: ESTree.MemberExpression): void;
    VariableDeclarator?(declared: ESTree.VariableDeclarator): void;
  };
}

type Argument = ESTree.CallExpression['arguments'][number];

const LOG_METHODS = new Set(['debug', 'info', 'warn', 'error']);
const SECRET_WORDS = /^(keys?|tokens?|passwords?|passwd|passphrases?|secrets?|credentials?)$/;

/** `log.info(…)`, `deps.logger.warn(…)`, `this.#logger.error(…)`: the arguments, where the call is one of a logger. */
function logArguments(call: ESTree.CallExpression, methods: ReadonlySet<string>): Argument[] | undefined {
  const { callee } = call;
  if (callee.type !== 'MemberExpression' || callee.computed) return undefined;
  const method = nameOf(callee.property);
  const receiver = nameOf(callee.object.type === 'MemberExpression' ? callee.object.property : callee.object);
  const isLogger = receiver !== undefined && /^(.*_)?log(ger)?$|Log(ger)?$/.test(receiver);
  return isLogger && method !== undefined && methods.has(method) ? call.arguments : undefined;
}

function nameOf(node: ESTree.Node): string | undefined {
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name;
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}

const logCallShape: Rule = {
  meta: { type: 'problem', docs: { description: 'A log call takes a constant message and an object of fields.' } },
  create: (context) => ({
    CallExpression(call) {
      const args = logArguments(call, LOG_METHODS);
      if (!args) return;
      const [message, fields, ...rest] = args;
      if (!message || message.type !== 'Literal' || typeof message.value !== 'string') {
        context.report({
          node: message ?? call,
          message: 'A log message is one string literal; what varies goes into the fields.',
        });
      }
      if (
        fields &&
        (fields.type === 'Literal' || fields.type === 'TemplateLiteral' || fields.type === 'ArrayExpression')
      ) {
        context.report({ node: fields, message: 'The second argument of a log call is an object of fields.' });
      }
      if (rest[0])
        context.report({ node: rest[0], message: 'A log call takes a message and an object of fields, and no more.' });
    },
  }),
};

const noSecretInLog: Rule = {
  meta: { type: 'problem', docs: { description: 'Nothing named like a key, token or password reaches a logger.' } },
  create: (context) => ({
    CallExpression(call) {
      for (const argument of logArguments(call, new Set([...LOG_METHODS, 'child'])) ?? []) {
        for (const [node, name] of namesIn(argument)) {
          context.report({ node, message: `"${name}" is named like a secret and would reach the log.` });
        }
      }
    },
  }),
};

/** Every value or field in an argument whose name ends in a word for a secret, and every `reveal()`. */
function* namesIn(node: ESTree.Node): Generator<[ESTree.Node, string]> {
  switch (node.type) {
    case 'ObjectExpression':
      for (const property of node.properties) yield* namesIn(property);
      return;
    case 'Property': {
      const name = fieldName(node);
      if (name !== undefined && isSecretName(name)) yield [node, name];
      else yield* namesIn(node.value);
      return;
    }
    case 'SpreadElement':
      yield* namesIn(node.argument);
      return;
    case 'ArrayExpression':
      for (const element of node.elements) if (element) yield* namesIn(element);
      return;
    case 'Identifier':
      if (isSecretName(node.name)) yield [node, node.name];
      return;
    case 'MemberExpression': {
      const name = nameOf(node.property);
      if (name !== undefined && isSecretName(name)) yield [node, name];
      return;
    }
    case 'CallExpression':
      if (node.callee.type === 'MemberExpression' && nameOf(node.callee.property) === 'reveal') yield [node, 'reveal'];
      for (const argument of node.arguments) yield* namesIn(argument);
      return;
    case 'TemplateLiteral':
      for (const expression of node.expressions) yield* namesIn(expression);
      return;
    case 'BinaryExpression':
    case 'LogicalExpression':
      yield* namesIn(node.left);
      yield* namesIn(node.right);
      return;
    case 'ConditionalExpression':
      yield* namesIn(node.consequent);
      yield* namesIn(node.alternate);
      return;
    default:
  }
}

const GUESSABLE = 'Math.random can be guessed from what it gave before: use randomText, randomFraction or node:crypto.';

/** For waits and shuffles too: whoever copies a line into code that makes a secret copies a good one. */
const noGuessableRandom: Rule = {
  meta: { type: 'problem', docs: { description: 'Nothing random comes from Math.random.' } },
  create: (context) => ({
    MemberExpression(access) {
      if (isMath(access.object) && memberName(access) === 'random')
        context.report({ node: access, message: GUESSABLE });
    },
    VariableDeclarator({ id, init }) {
      if (id.type !== 'ObjectPattern' || !init || !isMath(init)) return;
      for (const property of id.properties)
        if (property.type === 'Property' && fieldName(property) === 'random')
          context.report({ node: property, message: GUESSABLE });
    },
  }),
};

/** `Math` or `globalThis.Math`. */
function isMath(node: ESTree.Node): boolean {
  return node.type === 'MemberExpression' ? memberName(node) === 'Math' : nameOf(node) === 'Math';
}

/** `a.b` and `a['b']` alike. */
function memberName({ computed, property }: ESTree.MemberExpression): string | undefined {
  return computed && property.type !== 'Literal' ? undefined : nameOf(property);
}

function fieldName(node: { computed: boolean; key: ESTree.Node }): string | undefined {
  return node.computed ? undefined : nameOf(node.key);
}

/** `instance_key`, `apiToken`, `PASSWORD`: the last word tells; `key_version` and `tokenCount` are no secrets. */
function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_-]/);
  return SECRET_WORDS.test(words.at(-1) ?? '');
}

const plugin: { meta: { name: string }; rules: Record<string, Rule> } = {
  meta: { name: 'trove' },
  rules: {
    'log-call-shape': logCallShape,
    'no-secret-in-log': noSecretInLog,
    'no-guessable-random': noGuessableRandom,
  },
};

/** @public Loaded by .oxlintrc.json. */
export default plugin;
