package operations

import (
	"context"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/docker/errdefs"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

const (
	// releaseTimeout is how long a network or volume may stay in use while it is being deleted.
	releaseTimeout = 30 * time.Second
	// releaseInterval is how often it is tried again.
	releaseInterval = 200 * time.Millisecond
)

// createNetwork creates a network. The Terraform provider then waits 2 s before it looks at it.
func createNetwork(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	options := types.NetworkCreate{
		CheckDuplicate: d.Get("check_duplicate").(bool),
		Driver:         d.Get("driver").(string),
		Internal:       d.Get("internal").(bool),
		Attachable:     d.Get("attachable").(bool),
		Ingress:        d.Get("ingress").(bool),
		EnableIPv6:     d.Get("ipv6").(bool),
		Options:        stringMap(d.Get("options")),
		Labels:         map[string]string{},
	}
	for _, element := range d.Get("labels").(*schema.Set).List() {
		label := element.(map[string]any)
		options.Labels[label["label"].(string)] = label["value"].(string)
	}
	driver, configs := d.Get("ipam_driver").(string), d.Get("ipam_config").(*schema.Set).List()
	if driver != "" || len(configs) > 0 {
		options.IPAM = &network.IPAM{Driver: driver}
	}
	for _, element := range configs {
		config := element.(map[string]any)
		options.IPAM.Config = append(options.IPAM.Config, network.IPAMConfig{
			Subnet:     config["subnet"].(string),
			IPRange:    config["ip_range"].(string),
			Gateway:    config["gateway"].(string),
			AuxAddress: stringMap(config["aux_address"]),
		})
	}

	name := d.Get("name").(string)
	created, err := shim.Client(meta).NetworkCreate(ctx, name, options)
	if err != nil {
		return diag.Errorf("Unable to create network %s: %s", name, err)
	}
	d.SetId(created.ID)
	return readNetwork(ctx, d, meta)
}

// readNetwork reads a network; one that is gone leaves the state.
func readNetwork(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	found, err := shim.Client(meta).NetworkInspect(ctx, d.Id(), types.NetworkInspectOptions{})
	if client.IsErrNotFound(err) {
		d.SetId("")
		return nil
	}
	if err != nil {
		return diag.Errorf("Unable to inspect network %s: %s", d.Id(), err)
	}
	var labels, configs []any
	for label, value := range found.Labels {
		labels = append(labels, map[string]any{"label": label, "value": value})
	}
	for _, config := range found.IPAM.Config {
		addresses := map[string]any{}
		for name, address := range config.AuxAddress {
			addresses[name] = address
		}
		configs = append(configs, map[string]any{
			"subnet":      config.Subnet,
			"ip_range":    config.IPRange,
			"gateway":     config.Gateway,
			"aux_address": addresses,
		})
	}
	return setAll(d, map[string]any{
		"name":        found.Name,
		"labels":      labels,
		"driver":      found.Driver,
		"internal":    found.Internal,
		"attachable":  found.Attachable,
		"ingress":     found.Ingress,
		"ipv6":        found.EnableIPv6,
		"ipam_driver": found.IPAM.Driver,
		"ipam_config": configs,
		"scope":       found.Scope,
		"options":     found.Options,
	})
}

// deleteNetwork deletes a network as soon as no container uses it. The Terraform provider waits
// 2 s first.
func deleteNetwork(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	err := whenReleased(ctx, "has active endpoints", func() error {
		return shim.Client(meta).NetworkRemove(ctx, d.Id())
	})
	if err != nil {
		return diag.Errorf("Unable to delete network %s: %s", d.Get("name"), err)
	}
	d.SetId("")
	return nil
}

// unlessGone reads a volume as read does, for which one that is gone is an error: it leaves the
// state.
func unlessGone(read schema.ReadContextFunc) schema.ReadContextFunc {
	return func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		if _, err := shim.Client(meta).VolumeInspect(ctx, d.Id()); client.IsErrNotFound(err) {
			d.SetId("")
			return nil
		}
		return read(ctx, d, meta)
	}
}

// deleteVolume deletes a volume as soon as no container uses it. The Terraform provider waits 2 s
// first.
func deleteVolume(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	err := whenReleased(ctx, "volume is in use", func() error {
		return shim.Client(meta).VolumeRemove(ctx, d.Id(), true)
	})
	if err != nil {
		return diag.Errorf("Unable to delete volume %s: %s", d.Id(), err)
	}
	d.SetId("")
	return nil
}

// whenReleased calls remove again and again while its error says that the thing is inUse. What does
// not exist is removed.
func whenReleased(ctx context.Context, inUse string, remove func() error) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	for {
		err := remove()
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !strings.Contains(err.Error(), inUse) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(releaseInterval):
		}
	}
}

// setAll sets attributes.
func setAll(d *schema.ResourceData, values map[string]any) diag.Diagnostics {
	for name, value := range values {
		if err := d.Set(name, value); err != nil {
			return diag.Errorf("%s: %s", name, err)
		}
	}
	return nil
}

// stringMap converts a map of strings out of the Terraform SDK.
func stringMap(value any) map[string]string {
	strings := map[string]string{}
	for key, element := range value.(map[string]any) {
		strings[key] = element.(string)
	}
	return strings
}
