DROP TABLE graph_quotas;
