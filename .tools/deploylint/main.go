// Command deploylint checks the Kubernetes manifests without a cluster. It builds each kustomization with the library
// of kustomize, and decodes each object strictly into its Kubernetes API type, so that an unknown field, or a field of
// another type, is found. Rules that only a server validates, such as the form of the unit of a quantity or of a name,
// are checked as far as the libraries do so. It prints one line for each problem. The exit code is 1 if there is a
// problem.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: deploylint FOLDER, with a kustomization in each folder below it")
		os.Exit(2)
	}
	found, err := filepath.Glob(filepath.Join(os.Args[1], "*", "kustomization.yaml"))
	if err != nil || len(found) == 0 {
		fmt.Fprintln(os.Stderr, "deploylint: no kustomization below", os.Args[1])
		os.Exit(1)
	}
	failed := false
	for _, file := range found {
		objects, problems := lint(filepath.Dir(file))
		for _, p := range problems {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Dir(file), p)
		}
		fmt.Printf("deploylint: %s: %d objects\n", filepath.Dir(file), objects)
	}
	if failed {
		os.Exit(1)
	}
}

// lint builds the kustomization in a folder and decodes its objects.
func lint(folder string) (objects int, problems []string) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return 0, []string{err.Error()}
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	names := map[string]bool{}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", resource.CurId(), err))
			continue
		}
		objects++
		names[resource.GetKind()+"/"+resource.GetName()] = true
		if pod := podOf(object); pod != nil {
			defer func() { // every object is known by then
				problems = append(problems, lintPod(resource.CurId().String(), pod, names)...)
			}()
		}
	}
	return objects, problems
}

func podOf(object runtime.Object) *corev1.PodSpec {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template.Spec
	case *batchv1.Job:
		return &o.Spec.Template.Spec
	}
	return nil
}

// lintPod checks the requirements of the restricted level of Pod Security, and whether the objects that a pod refers to
// exist.
func lintPod(id string, pod *corev1.PodSpec, names map[string]bool) (problems []string) {
	say := func(text string) { problems = append(problems, id+": "+text) }
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		say("securityContext: runAsNonRoot and seccompProfile are wanted")
	}
	if !names["ServiceAccount/"+pod.ServiceAccountName] {
		say("there is no service account " + pod.ServiceAccountName)
	}
	for _, c := range pod.Containers {
		if s := c.SecurityContext; s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.Capabilities == nil ||
			len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			say("securityContext: no escalation, no capabilities and a read-only root are wanted")
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			say("resources: requests of cpu and memory and a limit of memory are wanted")
		}
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef == nil || !names["ConfigMap/"+from.ConfigMapRef.Name] {
				say("envFrom: there is no such config map")
			}
		}
		mounted := map[string]bool{}
		for _, v := range pod.Volumes {
			mounted[v.Name] = true
		}
		for _, m := range c.VolumeMounts {
			if !mounted[m.Name] {
				say("there is no volume " + m.Name)
			}
		}
	}
	return problems
}
