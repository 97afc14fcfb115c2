// The tool behind make licenses and make sbom, in a module of its own: not a dependency of Parley.
module github.com/parley/parley/.tools/dependencies

go 1.26.0

require (
	github.com/CycloneDX/cyclonedx-go v0.12.0
	github.com/google/licensecheck v0.3.1
)
