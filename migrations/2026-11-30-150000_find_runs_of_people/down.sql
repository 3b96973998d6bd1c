DROP INDEX runs_of_people;
