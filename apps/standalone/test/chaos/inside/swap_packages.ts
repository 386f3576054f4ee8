import { registerHooks } from 'node:module';

/**
 * Everybody in this process who imports one of these packages gets the stand-in at this URL, which alone gets the package
 * itself: so services and agents run as they are, from their own programs.
 */
export function swapPackages(standIns: Readonly<Record<string, string>>): void {
  registerHooks({
    resolve(specifier, context, next) {
      const standIn = standIns[specifier];
      if (standIn === undefined || context.parentURL === standIn) return next(specifier, context);
      return { url: standIn, shortCircuit: true };
    },
  });
}
