packages <- commandArgs(TRUE)
index <- Sys.getenv("VM_INDEX_CRAN", getOption("repos")[["CRAN"]])
if (index == "@CRAN@") { # R has not been told of one: the first of its own list
  chooseCRANmirror(graphics = FALSE, ind = 1, local.only = TRUE)
  index <- getOption("repos")[["CRAN"]]
}
library <- Sys.getenv("R_LIBS_USER")
library <- strsplit(library, .Platform$path.sep, fixed = TRUE)[[1]][1]
dir.create(library, recursive = TRUE, showWarnings = FALSE)
.libPaths(library)
install.packages(packages, lib = library, repos = index, quiet = FALSE)
# A failure is only a warning to install.packages.
missing <- packages[!packages %in% rownames(installed.packages(lib.loc = library))]
if (length(missing) > 0) {
  message("not installed: ", paste(missing, collapse = ", "))
  quit(status = 1)
}
