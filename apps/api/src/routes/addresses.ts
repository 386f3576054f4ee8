import { Type } from 'typebox';

const Segment = Type.String();

/** What stands in the path of a route. */
export const ProjectPath = Type.Object({ project_id: Segment });
export const InstancePath = Type.Object({ project_id: Segment, instance_id: Segment });
export const TaskPath = Type.Object({ project_id: Segment, instance_id: Segment, task_id: Segment });
export const DatabasePath = Type.Object({ project_id: Segment, instance_id: Segment, name: Segment });
export const DatastorePath = Type.Object({ project_id: Segment, datastore: Segment });
export const DatastoreVersionPath = Type.Object({ project_id: Segment, datastore: Segment, version: Segment });
export const VersionPath = Type.Object({ project_id: Segment, version: Segment });
export const HostPath = Type.Object({ project_id: Segment, host: Segment });
export const QuotaPath = Type.Object({ project_id: Segment, tenant_id: Segment });
export const FlavorPath = Type.Object({ project_id: Segment, flavor_id: Segment });
