import type { OptionSpec } from './options.ts';

/** `[compute_local]`: servers of instances as processes of this machine. */
export const computeLocalOptions = {
  compute_local_root: {
    section: 'compute_local',
    name: 'root',
    type: 'string',
    default: '/var/lib/trove/instances',
    help: 'The folder that holds the servers of local compute.',
  },
  compute_local_user: {
    section: 'compute_local',
    name: 'user',
    type: 'string',
    default: 'trove-guest',
    help: 'The account that databases and agents run as where the service runs as root.',
  },
  compute_local_network: {
    section: 'compute_local',
    name: 'network',
    type: 'string',
    default: '127.64.0.0/16',
    help: 'The loopback network from which local servers take their addresses.',
  },
  compute_local_flavors_file: {
    section: 'compute_local',
    name: 'flavors_file',
    type: 'string',
    help: 'A JSON file of flavors (id, name, ram, vcpus, disk). Unset, it is `flavors.json` in `root`, written at first start.',
  },
  compute_local_image: {
    section: 'compute_local',
    name: 'image',
    type: 'map',
    help: 'A further image: `image.<uuid> = folder of the database server`.',
  },
} as const satisfies Record<string, OptionSpec>;
