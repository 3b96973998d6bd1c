DROP TABLE staged_members;
DROP TABLE staged_objects;
DROP TABLE mirror_delivered;
DROP TABLE mirror_members;
DROP TABLE mirror_objects;
DROP TABLE mirrors;
