create table t (a);
insert into t values (1);
select b from t; -- HERE
