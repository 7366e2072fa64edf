const boom: = ; // HERE
