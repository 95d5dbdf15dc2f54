-- Version 4. A put without a blob whose body is NULL is one whose octets were let go of by retention. Nothing is different until the first of them, but a program that does not know of it would
-- take it for an empty body: so it must refuse the database.
SELECT 1;
