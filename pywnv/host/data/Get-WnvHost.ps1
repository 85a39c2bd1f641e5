<#
.SYNOPSIS
Collects what this Windows host tells of its network, for pywnv: adapters, teams, virtual switches and their
extensions, NICs of VMs and of the host with their VLANs and ACLs, and what the antivirus leaves out.

.DESCRIPTION
It only reads, and writes one JSON object. Run it as administrator: without these rights, or without Hyper-V or NIC
teaming, it leaves out what it cannot ask, and says so in left_out. It runs on Windows PowerShell 4.0 to 5.1 and on
PowerShell 7, on Windows Server 2012 R2 and Windows 10 and newer.

.PARAMETER OutFile
The file to write, in UTF-8. Without it the JSON is returned.

.EXAMPLE
.\Get-WnvHost.ps1 -OutFile HV01.json
#>
[CmdletBinding()]
param(
    [string] $OutFile
)

# A property that an older Windows does not have is empty, however strict the session is.
Set-StrictMode -Off

$answers = [ordered]@{}
$leftOut = [ordered]@{}

# Enums become names, and what is neither text nor number its text: the JSON is then the same on each PowerShell.
function ConvertTo-Plain($Value) {
    if ($null -eq $Value) {
        return $null
    }
    if ($Value -is [enum] -or $Value -is [guid]) {
        return $Value.ToString()
    }
    if ($Value -is [string] -or $Value -is [ValueType]) {
        return $Value
    }
    if ($Value -is [Collections.IEnumerable]) {
        return , @(foreach ($item in $Value) { ConvertTo-Plain $item })
    }
    return $Value.ToString()
}

function Get-Row($Object, [string[]] $Properties) {
    $row = [ordered]@{}
    foreach ($name in $Properties) {
        $row[$name] = ConvertTo-Plain $Object.$name
    }
    return $row
}

# Asks one cmdlet; what cannot be asked is noted and harms nothing else. Errors come among the rows, to be told apart.
function Add-Answer([string] $Cmdlet, [scriptblock] $Ask) {
    if (-not (Get-Command -Name $Cmdlet -ErrorAction SilentlyContinue)) {
        $leftOut[$Cmdlet] = 'not on this system'
        return
    }
    try {
        $said = @(& $Ask 2>&1)
    }
    catch {
        $leftOut[$Cmdlet] = $_.Exception.Message
        return
    }
    $wrong = @($said | Where-Object { $_ -is [Management.Automation.ErrorRecord] })
    $rows = @($said | Where-Object { $_ -isnot [Management.Automation.ErrorRecord] })
    if ($wrong.Count -gt 0) {
        $leftOut[$Cmdlet] = $wrong[0].Exception.Message
    }
    if ($rows.Count -gt 0 -or $wrong.Count -eq 0) {
        $answers[$Cmdlet] = $rows
    }
}

function Add-Objects([string] $Cmdlet, [string[]] $Properties) {
    Add-Answer $Cmdlet {
        foreach ($object in & $Cmdlet -ErrorAction Continue) {
            Get-Row $object $Properties
        }
    }
}

# What is set for each NIC of a VM or of the host, with the NIC that it is set for: names repeat, its id does not.
function Add-NicSettings([string] $Cmdlet, [string[]] $Properties) {
    if (-not $answers.Contains('Get-VMNetworkAdapter')) {
        $leftOut[$Cmdlet] = 'Get-VMNetworkAdapter gave nothing to ask it for'
        return
    }
    Add-Answer $Cmdlet {
        foreach ($nic in $nics) {
            foreach ($object in & $Cmdlet -VMNetworkAdapter $nic -ErrorAction Continue) {
                $row = Get-Row $object $Properties
                $row['VMName'] = ConvertTo-Plain $nic.VMName
                $row['VMNetworkAdapterName'] = ConvertTo-Plain $nic.Name
                $row['VMNetworkAdapterId'] = ConvertTo-Plain $nic.Id
                $row['IsManagementOs'] = [bool] $nic.IsManagementOs
                $row
            }
        }
    }
}

$windows = [ordered]@{ caption = $null; build = [Environment]::OSVersion.Version.Build; product_type = $null }
$system = Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction SilentlyContinue
if ($system) {
    $windows['caption'] = $system.Caption
    $windows['build'] = [int] $system.BuildNumber
    $windows['product_type'] = [int] $system.ProductType
}

Add-Objects 'Get-NetAdapter' @('Name', 'InterfaceDescription', 'ifIndex', 'MacAddress', 'VlanID', 'Status',
    'InterfaceGuid', 'Virtual', 'HardwareInterface')
Add-Objects 'Get-NetAdapterBinding' @('Name', 'ComponentID', 'DisplayName', 'Enabled')
Add-Objects 'Get-NetLbfoTeam' @('Name', 'Members', 'TeamNics', 'TeamingMode', 'LoadBalancingAlgorithm', 'Status')
Add-Objects 'Get-NetLbfoTeamNic' @('Name', 'Team', 'Primary', 'Default', 'VlanID')
Add-Objects 'Get-VMSwitch' @('Name', 'Id', 'SwitchType', 'NetAdapterInterfaceDescription',
    'NetAdapterInterfaceDescriptions', 'EmbeddedTeamingEnabled', 'AllowManagementOS')
Add-Answer 'Get-VMSwitchExtension' {
    foreach ($vmSwitch in Get-VMSwitch -ErrorAction Continue) {
        foreach ($extension in Get-VMSwitchExtension -VMSwitch $vmSwitch -ErrorAction Continue) {
            Get-Row $extension @('SwitchName', 'Name', 'Vendor', 'Version', 'ExtensionType', 'Enabled', 'Running')
        }
    }
}

$nics = @()
Add-Answer 'Get-VMNetworkAdapter' {
    $script:nics = @(Get-VMNetworkAdapter -All -ErrorAction Continue |
            Where-Object { -not $_.IsExternalAdapter })
    foreach ($nic in $script:nics) {
        Get-Row $nic @('VMName', 'Name', 'Id', 'DeviceId', 'IsManagementOs', 'SwitchName', 'MacAddress', 'IPAddresses',
            'MacAddressSpoofing', 'PortMirroringMode', 'DhcpGuard', 'RouterGuard', 'Status', 'Connected')
    }
}
Add-NicSettings 'Get-VMNetworkAdapterVlan' @('OperationMode', 'AccessVlanId', 'NativeVlanId', 'AllowedVlanIdList',
    'PrivateVlanMode', 'PrimaryVlanId', 'SecondaryVlanId', 'SecondaryVlanIdList')
Add-NicSettings 'Get-VMNetworkAdapterIsolation' @('IsolationMode', 'DefaultIsolationID', 'AllowUntaggedTraffic',
    'MultiTenantStack')
Add-NicSettings 'Get-VMNetworkAdapterAcl' @('Direction', 'Action', 'LocalAddress', 'RemoteAddress')
Add-NicSettings 'Get-VMNetworkAdapterExtendedAcl' @('Direction', 'Action', 'LocalIPAddress', 'RemoteIPAddress',
    'LocalPort', 'RemotePort', 'Protocol', 'Weight', 'Stateful', 'IdleSessionTimeout')

Add-Objects 'Get-MpPreference' @('ExclusionPath', 'ExclusionProcess', 'ExclusionExtension', 'DisableAutoExclusions',
    'DisableRealtimeMonitoring')
Add-Objects 'Get-MpComputerStatus' @('RealTimeProtectionEnabled')

$inventory = [ordered]@{
    wnv_host  = 1
    collected = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
    computer  = [Environment]::MachineName
    windows   = $windows
    left_out  = $leftOut
}
foreach ($cmdlet in $answers.Keys) {
    $inventory[$cmdlet] = $answers[$cmdlet]
}
foreach ($cmdlet in $leftOut.Keys) {
    Write-Warning "left out: ${cmdlet}: $($leftOut[$cmdlet])"
}

$json = ConvertTo-Json -InputObject $inventory -Depth 6
if ($OutFile) {
    $path = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($OutFile)
    [IO.File]::WriteAllText($path, $json, (New-Object Text.UTF8Encoding $false))
}
else {
    $json
}
