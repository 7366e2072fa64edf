package report

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Fetch asks for addresses through a proxy, one after the other.
func Fetch(ctx context.Context, proxy string, addresses []string) (map[string]Fetched, error) {
	through, err := url.Parse(proxy)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableKeepAlives: true}}
	fetched := map[string]Fetched{}
	for _, address := range addresses {
		fetched[address] = fetchOne(ctx, &client, address)
	}
	return fetched, nil
}

func fetchOne(ctx context.Context, client *http.Client, address string) Fetched {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Fetched{Error: err.Error()}
	}
	response, err := client.Do(request)
	if err != nil {
		return Fetched{Error: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	f := Fetched{Status: response.Status, Body: strings.TrimSpace(string(body))}
	if err != nil {
		f.Error = err.Error()
	}
	return f
}
