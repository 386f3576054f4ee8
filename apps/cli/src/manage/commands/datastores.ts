import { updateDatastore, updateDatastoreVersion, withTransaction } from '@trove/catalog';
import { type Command, InvalidArgumentError } from 'commander';
import type { ManageSession } from '../session.ts';

interface VersionOptions {
  version?: string;
  imageTags?: string;
}

/** `datastore_update` and `datastore_version_update`, with the arguments that Trove's own have. */
export function addDatastoreUpdates(program: Command, session: ManageSession): void {
  program
    .command('datastore_update')
    .description('Add or change a datastore and its default version.')
    .argument('<datastore_name>')
    .argument('<default_version>', "id or name of one of its versions; '' for none")
    .action(async (name: string, defaultVersion: string) => {
      await session.withCurrentCatalog((catalog) =>
        withTransaction(catalog, (tx) => updateDatastore(tx, { name, defaultVersion })),
      );
      session.print(`Datastore '${name}' updated.\n`);
    });

  program
    .command('datastore_version_update')
    .description('Add or change a version of a datastore.')
    .argument('<datastore>', 'id or name')
    .argument('<version_name>')
    .argument('<manager>', 'what manages its databases on the instance, as mysql or postgresql')
    .argument('<image_id>', "'' where the image is found by its tags")
    .argument('<packages>', "comma-separated; '' for none")
    .argument('<active>', '1 or 0', active)
    .option('--version <version>', 'tells versions of one name apart')
    .option('--image-tags <tags>', 'comma-separated')
    .action(
      async (
        datastore: string,
        name: string,
        manager: string,
        imageId: string,
        packages: string,
        isActive: boolean,
        options: VersionOptions,
      ) => {
        const update = { datastore, name, manager, imageId, packages, active: isActive, ...options };
        await session.withCurrentCatalog((catalog) =>
          withTransaction(catalog, (tx) => updateDatastoreVersion(tx, update)),
        );
        session.print(`Datastore version '${name}' updated.\n`);
      },
    );
}

function active(text: string): boolean {
  if (text === '1' || text === '0') return text === '1';
  throw new InvalidArgumentError('active is 1 or 0.');
}
