packages <- commandArgs(TRUE)
index <- Sys.getenv("VM_INDEX_CRAN", "https://index.example")
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
