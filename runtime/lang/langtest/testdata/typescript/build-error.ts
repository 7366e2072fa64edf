const boom: = ;
