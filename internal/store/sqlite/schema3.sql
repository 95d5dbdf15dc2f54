-- Version 3. How far a vault has come is its own to know.
DROP TABLE marks;
