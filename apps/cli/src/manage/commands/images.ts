import type { Command } from 'commander';
import { renderTable } from '../../table.ts';
import type { ManageSession } from '../session.ts';

export function addImageList(program: Command, session: ManageSession): void {
  program
    .command('image-list')
    .description('List the images that the compute driver has, for datastore_version_update.')
    .action(async () => {
      const images = await session.images();
      session.print(
        renderTable(
          ['ID', 'Name', 'Manager', 'Version'],
          images.map((image) => [image.id, image.name, image.manager, image.version]),
        ),
      );
    });
}
