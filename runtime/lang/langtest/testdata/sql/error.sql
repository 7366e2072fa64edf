.print before
SELECT * FROM boom;
