-- Version 5. A ghost (state 2) is a live item whose octets are known to be lost: a program that does not know of it would say that the database is damaged, or that nothing is there. They are counted at once, however many items there are.
CREATE INDEX res_ghost ON resources(coll) WHERE state=2;
