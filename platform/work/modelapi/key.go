package modelapi

import (
	"net/url"
	"regexp"
)

var (
	// azure are the hosts of Azure OpenAI, of Azure AI Foundry and of API Management before them.
	azure = regexp.MustCompile(`(?i)\.((openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)|azure-api\.(net|us|cn))\.?$`)
	// otherAzure are Azure's hosts of other models, which take a key as OpenAI does.
	otherAzure = regexp.MustCompile(`(?i)\.azure\.(com|us|cn)\.?$`)
	// entraToken is what an access token of Microsoft Entra looks like.
	entraToken = regexp.MustCompile(`^eyJ[\w-]+\.[\w-]+\.[\w-]+$`)
)

// KeyHeader returns the header in which a server of OpenAI's API expects a key. Azure, and a gateway in front of it with a
// host name of its own, expects it in api-key: it reads an Authorization header as a token of Microsoft Entra, and some
// refuse a call that has both.
func KeyHeader(target *url.URL, key string) (name, value string) {
	host := target.Hostname()
	isAzure := azure.MatchString(host) || target.Query().Has("api-version") && !otherAzure.MatchString(host)
	if isAzure && !entraToken.MatchString(key) {
		return "api-key", key
	}
	return "authorization", "Bearer " + key
}
