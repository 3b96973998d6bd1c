DROP TABLE mirror_scope_members;
