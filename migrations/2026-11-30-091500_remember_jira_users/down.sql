DROP TABLE jira_users;
