import type { OptionSpec } from './options.ts';

/** `[compute_docker]`: servers of instances as containers of Docker engines. */
export const computeDockerOptions = {
  compute_docker_host: {
    section: 'compute_docker',
    name: 'host',
    type: 'map',
    help: 'A Docker engine: `host.<name> = unix:///var/run/docker.sock`, or `tcp://db1.example.org:2376` with mutual TLS. The name (a-z, 0-9, hyphen) is the host of its instances for life.',
  },
  compute_docker_ca_file: {
    section: 'compute_docker',
    name: 'ca_file',
    type: 'string',
    help: 'The authorities, in PEM, that engines of `tcp://` are checked against. Needed for `tcp://`.',
  },
  compute_docker_cert_file: {
    section: 'compute_docker',
    name: 'cert_file',
    type: 'string',
    help: 'The client certificate, in PEM, that is shown to engines of `tcp://`. Needed for `tcp://`.',
  },
  compute_docker_key_file: {
    section: 'compute_docker',
    name: 'key_file',
    type: 'string',
    help: 'The key of the client certificate, in PEM without a passphrase. Whoever holds it is root on each of these hosts.',
  },
  compute_docker_zone: {
    section: 'compute_docker',
    name: 'zone',
    type: 'map',
    help: 'The availability zone of a host: `zone.<host> = az1`. Unset, it is `nova`.',
  },
  compute_docker_subnet: {
    section: 'compute_docker',
    name: 'subnet',
    type: 'map',
    help: 'The addresses of the instances of a host: `subnet.<host> = 10.89.0.0/16`, which is also what it is where unset. Two hosts without a `public_address` need two ranges.',
  },
  compute_docker_public_address: {
    section: 'compute_docker',
    name: 'public_address',
    type: 'map',
    help: 'An address of the host on which its databases are published, each on a port of its own: `public_address.<host> = 192.0.2.7`. Unset, clients reach them by their addresses of `subnet`.',
  },
  compute_docker_ports: {
    section: 'compute_docker',
    name: 'ports',
    type: 'string',
    default: '20000-29999',
    help: 'The ports of `public_address` that databases are published on.',
  },
  compute_docker_network: {
    section: 'compute_docker',
    name: 'network',
    type: 'string',
    default: 'trove-instances',
    help: 'The network that instances are on. Made where an engine has none of that name; one that it has is taken as it is.',
  },
  compute_docker_flavors_file: {
    section: 'compute_docker',
    name: 'flavors_file',
    type: 'string',
    default: '/etc/trove/flavors.json',
    help: 'A JSON file of flavors (id, name, ram, vcpus, disk). Where there is no such file, the flavors are 1, 2 and 25.',
  },
  compute_docker_image: {
    section: 'compute_docker',
    name: 'image',
    type: 'map',
    help: 'What instances are made from: `image.<uuid> = <manager> <version> <image reference>`, such as `mariadb 10.11 trove-guest-mariadb:10.11`. The uuid is the `image_id` of a datastore version.',
  },
} as const satisfies Record<string, OptionSpec>;
