/**
 * Names of the options that Trove and its oslo and keystone libraries have, by section, as their sample files and
 * references list them. An operator's existing file is accepted with these; which of them mean something here is decided
 * by each service's own table.
 */
export const TROVE_OPTION_NAMES: Readonly<Record<string, string>> = {
  DEFAULT: `
    add_addresses admin_roles agent_call_high_timeout agent_call_low_timeout agent_heartbeat_expiry
    agent_heartbeat_time agent_replication_snapshot_timeout api_paste_config auth_strategy backdoor_port
    backdoor_socket backup_aes_cbc_key backup_chunk_size backup_runner backup_runner_options
    backup_segment_max_size backup_strategy backup_swift_container backup_use_gzip_compression
    backup_use_openssl_encryption backup_use_snet backups_page_size bind_host bind_port black_list_regex
    block_device_mapping cinder_api_insecure cinder_endpoint_type cinder_service_type cinder_url cinder_volume_type
    client_socket_timeout cloudinit_location cluster_delete_time_out cluster_usage_timeout clusters_page_size
    command_process_timeout conductor_manager conductor_queue config_dir config_file config_source
    configurations_page_size conn_pool_min_size conn_pool_ttl control_exchange controller_address
    database_service_uid databases_page_size datastore_manager datastore_registry_ext datastore_version
    db_api_implementation debug default_datastore default_log_levels default_neutron_networks device_path
    dns_account_id dns_auth_url dns_domain_id dns_domain_name dns_driver dns_endpoint_url dns_hostname
    dns_instance_entry_factory dns_management_base_url dns_passkey dns_project_domain_id dns_region
    dns_service_type dns_time_out dns_ttl dns_user_domain_id dns_username docker_bridge_network_ip
    docker_insecure_registries enable_secure_rpc_messaging enable_volume_az executor_thread_pool_size
    exists_notification_interval exists_notification_transformer expected_filetype_suffixes fatal_deprecations
    format_options glance_client_version glance_endpoint_type glance_service_type glance_url
    graceful_shutdown_timeout guest_config guest_id guest_info guest_log_container_name guest_log_expiry
    guest_log_limit host hostname_require_ipv4 hostname_require_valid_ip http_delete_rate http_get_rate
    http_mgmt_post_rate http_post_rate http_put_rate ignore_dbs ignore_users injected_config_group
    injected_config_location injected_config_owner inst_rpc_key_encr_key instance_format instance_ports_cache
    instance_rpc_encr_key instance_uuid_format instances_page_size ip_regex lock_path log_config_append
    log_date_format log_dir log_file log_format log_options log_rotate_interval log_rotate_interval_type
    log_rotation_type logdir logfile logging_context_format_string logging_debug_format_suffix
    logging_default_format_string logging_exception_prefix logging_user_identity_format management_networks
    management_security_groups max_accepted_volume_size max_backups_per_tenant max_backups_per_user max_header_line
    max_instances_per_tenant max_instances_per_user max_logfile_count max_logfile_size_mb max_ram_per_tenant
    max_volumes_per_tenant max_volumes_per_user module_aes_cbc_key module_reapply_max_batch_size
    module_reapply_min_batch_delay module_types modules_page_size mount_options mount_point network_driver
    network_isolation network_label_regex neutron_api_insecure neutron_endpoint_type neutron_service_type
    neutron_url notification_driver notification_service_id notification_topics nova_api_insecure
    nova_client_version nova_compute_endpoint_type nova_compute_service_type nova_compute_url nova_keypair
    nova_proxy_admin_pass nova_proxy_admin_tenant_domain_name nova_proxy_admin_tenant_id
    nova_proxy_admin_tenant_name nova_proxy_admin_user nova_proxy_admin_user_domain_name num_tries
    online_volume_resize os_region_name periodic_interval public_endpoint publish_errors pybasedir quota_driver
    quota_notification_interval rate_limit_burst rate_limit_except_level rate_limit_interval reboot_time_out region
    remote_cinder_client remote_dns_client remote_glance_client remote_guest_client remote_neutron_client
    remote_nova_client remote_swift_client remote_trove_client report_interval reserved_network_cidrs
    resize_time_out restore_usage_timeout revert_time_out root_grant root_grant_option root_on_create rpc_backend
    rpc_conn_pool_size rpc_ping_enabled rpc_response_timeout run_external_periodic_tasks running_backups_expires
    server_delete_time_out sql_connection sql_idle_timeout sql_query_log sql_query_logging state_change_poll_time
    state_change_wait_time state_healthy_counts storage_namespace storage_strategy swift_api_insecure
    swift_endpoint_type swift_service_type swift_url syslog_log_facility taskmanager_manager taskmanager_queue
    taskmanager_rpc_encr_key tcp_keepidle template_path tenant_id transport_url trove_api_workers trove_auth_url
    trove_conductor_workers trove_dns_support trove_endpoint_type trove_security_group_name_prefix
    trove_security_group_rule_cidr trove_security_groups_support trove_service_type trove_url trove_volume_support
    update_status_on_fail usage_sleep_time usage_timeout use_eventlog use_journal use_json
    use_nova_server_config_drive use_stderr use_syslog use_syslog_rfc_format users_page_size verbose
    verify_replica_volume_size verify_swift_checksum_on_restore volume_format_timeout volume_fstype
    volume_rootdisk_support volume_time_out watch_log_file wsgi_default_pool_size wsgi_keep_alive wsgi_log_format
    wsgi_server_debug`,
  audit_middleware_notifications: `
    driver topics transport_url use_oslo_messaging`,
  cache: `
    backend backend_argument config_prefix dead_timeout debug_cache_backend enable_retry_client
    enable_socket_keepalive enabled expiration_time hashclient_retry_attempts hashclient_retry_delay
    memcache_dead_retry memcache_password memcache_pool_connection_get_timeout memcache_pool_flush_on_reconnect
    memcache_pool_maxsize memcache_pool_unused_timeout memcache_sasl_enabled memcache_servers memcache_socket_timeout
    memcache_username proxies retry_attempts retry_delay socket_keepalive_count socket_keepalive_idle
    socket_keepalive_interval tls_allowed_ciphers tls_cafile tls_certfile tls_enabled tls_keyfile`,
  cassandra: `
    api_strategy backup_strategy cluster_support database_controller default_password_length device_path
    enable_cluster_instance_backup enable_saslauthd guest_log_exposed_logs guestagent_strategy icmp ignore_dbs
    ignore_users mount_point node_sync_time replication_strategy root_controller system_log_level taskmanager_strategy
    tcp_ports udp_ports user_access_controller user_controller volume_support`,
  cors: `
    allow_credentials allow_headers allow_methods allowed_origin expose_headers max_age`,
  couchbase: `
    backup_strategy default_password_length device_path guest_log_exposed_logs icmp mount_point replication_strategy
    root_controller root_on_create tcp_ports udp_ports volume_support`,
  couchdb: `
    backup_strategy default_password_length device_path guest_log_exposed_logs icmp ignore_dbs ignore_users
    mount_point replication_strategy root_controller root_on_create tcp_ports udp_ports volume_support`,
  database: `
    asyncio_connection asyncio_slave_connection backend connection connection_debug connection_parameters
    connection_recycle_time connection_trace db_inc_retry_interval db_max_retries db_max_retry_interval
    db_retry_interval idle_timeout max_overflow max_pool_size max_retries min_pool_size mysql_enable_ndb
    mysql_sql_mode mysql_wsrep_sync_wait pool_timeout query_log reconnect_interval retry_interval slave_connection
    sql_connection sql_connection_debug sql_connection_trace sql_max_overflow sql_max_retries sql_retry_interval
    sqlalchemy_max_overflow sqlalchemy_pool_timeout sqlite_synchronous synchronous_reader use_db_reconnect`,
  db2: `
    backup_strategy default_password_length device_path guest_log_exposed_logs icmp ignore_users mount_point
    replication_strategy root_controller root_on_create tcp_ports udp_ports volume_support`,
  guest_agent: `
    container_registry container_registry_password container_registry_username`,
  healthcheck: `
    allowed_source_ranges backends detailed disable_by_file_path disable_by_file_paths enable_by_file_paths
    ignore_proxied_requests path`,
  keystone_authtoken: `
    admin_password admin_tenant_name admin_token admin_user application_credential_id application_credential_name
    application_credential_secret auth_admin_prefix auth_host auth_plugin auth_port auth_protocol auth_section
    auth_type auth_uri auth_url auth_version cache cafile certfile collect_timing default_domain_id
    default_domain_name delay_auth_decision domain_id domain_name endpoint_override enforce_token_bind
    http_connect_timeout http_request_max_retries identity_uri include_service_catalog insecure interface keyfile
    max_version memcache_pool_conn_get_timeout memcache_pool_dead_retry memcache_pool_maxsize
    memcache_pool_socket_timeout memcache_pool_unused_timeout memcache_secret_key memcache_security_strategy
    memcache_use_advanced_pool memcached_servers min_version password project_domain_id project_domain_name
    project_id project_name region_name service_name service_token_roles service_token_roles_required service_type
    split_loggers system_scope tenant_id tenant_name timeout token_cache_time trust_id user_domain_id
    user_domain_name user_id username valid_interfaces www_authenticate_uri`,
  mariadb: `
    api_strategy backup_docker_image backup_incremental_strategy backup_namespace backup_strategy cluster_support
    default_password_length device_path docker_image guest_log_exposed_logs guest_log_long_query_time
    guestagent_strategy icmp ignore_dbs ignore_users min_cluster_member_count mount_point replication_namespace
    replication_strategy restore_namespace root_controller root_on_create taskmanager_strategy tcp_ports udp_ports
    usage_timeout volume_support`,
  mongodb: `
    add_members_timeout api_strategy backup_strategy cluster_secure cluster_support config_servers_volume_size
    configsvr_port default_password_length device_path guest_log_exposed_logs guestagent_strategy icmp ignore_dbs
    ignore_users mongodb_port mount_point num_config_servers_per_cluster num_query_routers_per_cluster
    query_routers_volume_size replication_strategy root_controller taskmanager_strategy tcp_ports udp_ports
    volume_support`,
  mysql: `
    backup_docker_image backup_incremental_strategy backup_namespace backup_strategy default_password_length
    device_path docker_image guest_log_exposed_logs guest_log_long_query_time icmp ignore_dbs ignore_users
    mount_point replication_namespace replication_strategy restore_namespace root_controller root_on_create
    tcp_ports udp_ports usage_timeout volume_support`,
  network: `
    enable_access_check network_isolation public_network_id`,
  oslo_concurrency: `
    disable_process_locking lock_path`,
  oslo_messaging_amqp: `
    addressing_mode anycast_address broadcast_prefix connection_retry_backoff connection_retry_interval
    connection_retry_interval_max container_name default_notification_exchange default_notify_timeout
    default_reply_retry default_reply_timeout default_rpc_exchange default_send_timeout default_sender_link_timeout
    group_request_prefix idle_timeout link_retry_delay multicast_address notify_address_prefix notify_server_credit
    pre_settled pseudo_vhost reply_link_credit rpc_address_prefix rpc_server_credit sasl_config_dir sasl_config_name
    sasl_default_realm sasl_mechanisms server_request_prefix ssl ssl_ca_file ssl_cert_file ssl_key_file
    ssl_key_password ssl_verify_vhost trace unicast_address`,
  oslo_messaging_kafka: `
    compression_codec conn_pool_min_size conn_pool_ttl consumer_group enable_auto_commit kafka_consumer_timeout
    kafka_max_fetch_bytes max_poll_records pool_size producer_batch_size producer_batch_timeout sasl_mechanism
    security_protocol ssl_cafile ssl_client_cert_file ssl_client_key_file ssl_client_key_password`,
  oslo_messaging_metrics: `
    metrics_buffer_size metrics_enabled metrics_process_name metrics_socket_file metrics_thread_stop_timeout`,
  oslo_messaging_notifications: `
    driver notification_topics retry topics transport_url`,
  oslo_messaging_rabbit: `
    amqp_auto_delete amqp_durable_queues conn_pool_min_size conn_pool_ttl direct_mandatory_flag
    enable_cancel_on_failover fake_rabbit heartbeat_in_pthread heartbeat_rate heartbeat_timeout_threshold hostname
    kombu_compression kombu_failover_strategy kombu_missing_consumer_retry_timeout kombu_reconnect_delay processname
    rabbit_ha_queues rabbit_host rabbit_hosts rabbit_interval_max rabbit_login_method rabbit_password rabbit_port
    rabbit_qos_prefetch_count rabbit_quorum_delivery_limit rabbit_quorum_max_memory_bytes
    rabbit_quorum_max_memory_length rabbit_quorum_queue rabbit_quroum_max_memory_bytes rabbit_quroum_max_memory_length
    rabbit_retry_backoff rabbit_retry_interval rabbit_stream_fanout rabbit_transient_queues_ttl
    rabbit_transient_quorum_queue rabbit_use_ssl rabbit_userid rabbit_virtual_host rpc_conn_pool_size
    rpc_listener_prefetch_count rpc_reply_retry_attempts ssl ssl_ca_file ssl_cert_file ssl_enforce_fips_mode
    ssl_enforce_hostname_verification ssl_key_file ssl_version use_queue_manager`,
  oslo_middleware: `
    enable_proxy_headers_parsing http_basic_auth_user_file max_request_body_size osapi_max_request_body_size`,
  oslo_policy: `
    enforce_new_defaults enforce_scope policy_default_rule policy_dirs policy_file remote_content_type
    remote_ssl_ca_crt_file remote_ssl_client_crt_file remote_ssl_client_key_file remote_ssl_verify_server_crt`,
  oslo_reports: `
    file_event_handler file_event_handler_interval log_dir`,
  percona: `
    backup_incremental_strategy backup_namespace backup_strategy default_password_length device_path
    guest_log_exposed_logs guest_log_long_query_time icmp ignore_dbs ignore_users mount_point replication_namespace
    replication_password replication_strategy replication_user restore_namespace root_controller root_on_create
    tcp_ports udp_ports usage_timeout volume_support`,
  postgresql: `
    backup_docker_image backup_incremental_strategy backup_namespace backup_strategy default_password_length
    device_path docker_image enable_clean_wal_archives guest_log_exposed_logs guest_log_long_query_time icmp
    ignore_dbs ignore_users mount_point postgresql_port replication_namespace replication_strategy
    restore_namespace root_controller root_on_create tcp_ports udp_ports volume_support wal_archive_location`,
  profiler: `
    connection_string enabled es_doc_type es_scroll_size es_scroll_time filter_error_trace hmac_keys
    sentinel_service_name socket_timeout trace_sqlalchemy`,
  pxc: `
    api_strategy backup_incremental_strategy backup_namespace backup_strategy cluster_support
    default_password_length device_path guest_log_exposed_logs guest_log_long_query_time guestagent_strategy icmp
    ignore_dbs ignore_users min_cluster_member_count mount_point replication_namespace replication_strategy
    replication_user restore_namespace root_controller root_on_create taskmanager_strategy tcp_ports udp_ports
    usage_timeout volume_support`,
  redis: `
    api_strategy backup_strategy cluster_support default_password_length device_path guest_log_exposed_logs
    guestagent_strategy icmp mount_point replication_namespace replication_strategy root_controller
    taskmanager_strategy tcp_ports udp_ports volume_support`,
  service_credentials: `
    application_credential_id application_credential_name application_credential_secret auth_section auth_type
    auth_url cafile certfile collect_timing default_domain_id default_domain_name domain_id domain_name
    endpoint_override insecure interface keyfile max_version min_version password project_domain_id
    project_domain_name project_id project_name region_name service_name service_type split_loggers system_scope
    tenant_id tenant_name timeout trust_id user_domain_id user_domain_name user_id username valid_interfaces`,
  ssl: `
    ca_file cert_file ciphers key_file version`,
  upgrade_levels: `
    conductor guestagent taskmanager`,
  vertica: `
    api_strategy backup_namespace backup_strategy cluster_member_count cluster_support default_password_length
    device_path guest_log_exposed_logs guestagent_strategy icmp min_ksafety mount_point readahead_size
    replication_strategy restore_namespace root_controller taskmanager_strategy tcp_ports udp_ports volume_support`,
};
