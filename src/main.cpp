#include "reel/cli/run.h"

int main(int argc, char** argv) { return reel::cli::run(argc, argv); }
